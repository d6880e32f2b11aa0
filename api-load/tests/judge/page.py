"""Reads a page from standard input and prints its figures as JSON: {"api.requests": 12, ...}. Ends with 1 when the page is not
well-formed, or wants anything from elsewhere."""

import json
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.figures, self.seen = [], {}, set()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.seen.add(tag)
        outside = [name for name in ("src", "href", "data", "action") if name in attrs]
        if tag in ("script", "link", "iframe", "object") or outside:
            sys.exit(f"<{tag}> wants something from elsewhere: {attrs}")
        if "data-figure" in attrs:
            self.figures[attrs["data-figure"]] = float(attrs["data-value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            sys.exit(f"</{tag}> at {self.getpos()} closes nothing")

    def handle_data(self, data):
        if self.open[-1:] == ["style"] and ("url(" in data or "@import" in data):
            sys.exit("the style wants something from elsewhere")


text = sys.stdin.read()
page = Page()
page.feed(text)
page.close()
if page.open or not text.startswith("<!DOCTYPE html>"):
    sys.exit(f"not closed: {page.open}")
for tag in ("html", "head", "title", "body", "h1", "table", "svg", "polyline"):
    if tag not in page.seen:
        sys.exit(f"no <{tag}>")
print(json.dumps(page.figures))
