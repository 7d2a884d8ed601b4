// A part of the page that the server renders again: put in place only where it changed, what was open stays open.

import { offerCopying } from "./copy.js";

export class Part {
  constructor(element, path) {
    this.element = element;
    this.path = path;
    this.shown = null;
    this.latest = 0;
  }

  // Resolves to whether something changed.
  async load(fields = {}) {
    const asked = ++this.latest;
    const path = new URL(this.path, location.href);
    for (const [name, value] of Object.entries(fields)) if (value !== null) path.searchParams.set(name, value);
    const reply = await fetch(path);
    const text = await reply.text();
    if (!reply.ok || asked !== this.latest || text === this.shown) return false;
    this.shown = text;
    this.replace(text);
    return true;
  }

  replace(text) {
    const open = new Map([...this.element.querySelectorAll("details")].map((one) => [keyOf(one), one.open]));
    const active = this.element.contains(document.activeElement) ? keyOf(document.activeElement) : null;
    this.element.innerHTML = text; // from our own server, every name in it escaped there
    for (const one of this.element.querySelectorAll("details")) if (open.has(keyOf(one))) one.open = open.get(keyOf(one));
    offerCopying(this.element);
    if (active) [...this.element.querySelectorAll("a, button, summary, [tabindex]")].find((one) => keyOf(one) === active)?.focus();
  }
}

// What an element is to a reader: it keeps that when it is rendered again.
function keyOf(element) {
  const named = element.matches("details") ? element.querySelector("summary") : element;
  return `${element.tagName} ${named?.getAttribute("aria-label") ?? named?.textContent.replace(/\d+/g, "").trim()}`;
}
