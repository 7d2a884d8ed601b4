"""What a job told of itself, as its page and a comparison show it."""

import re

from tests.pages.looking import Logged

HTML = {"Accept": "text/html"}


def told(text: str, label: str) -> str:
    """The value beside a label of the page, without its markup."""
    (found,) = re.findall(rf"<dt>{label}</dt><dd>(.*?)</dd>", text)
    return re.sub(r"<[^>]+>", "", found)


def test_a_page_shows_the_facts_that_were_told_and_no_others(logged: Logged) -> None:
    facts = {"class_priors": [0.9, 0.1], "target_variance": 2.5, "dataset_size": 50_000, "pretrained": "<resnet>"}
    logged.open("facts", "told", context=facts)
    logged.open("facts", "silent", context={"dataset_size": 7})
    text = logged.client.get("/projects/facts/runs/told", headers=HTML).text
    assert told(text, "Examples") == "50,000"
    assert told(text, "Pre-trained model") == "&lt;resnet&gt;"
    assert told(text, "Class priors") == "of 2 classes, 0.1 to 0.9"
    assert told(text, "Variance of the targets") == "2.5"
    silent = logged.client.get("/projects/facts/runs/silent", headers=HTML).text
    assert "Pre-trained model" not in silent
    both = logged.client.get("/projects/facts/compare?run=told&run=silent", headers=HTML).text
    assert "context: dataset_size" in both
    assert "context: pretrained" in both
