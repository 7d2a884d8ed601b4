"""Everything that is fuzzed, by name."""

from fuzz.decoder import DECODER
from fuzz.judging import RULES
from fuzz.logs import LOGS
from fuzz.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (DECODER, *LOGS, RULES)}
