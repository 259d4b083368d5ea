"""Markdown as GitHub shows it, by GitHub's own parser, taken apart for tests."""

from html.parser import HTMLParser

from tests.services import unavailable


def rendered(markdown):
    try:
        import cmarkgfm
        from cmarkgfm.cmark import Options
    except ImportError:
        unavailable("cmarkgfm, the bindings to GitHub's Markdown parser, is not installed")
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE)


class Page(HTMLParser):
    """The tags and links of a page, the text of each code element, and the text outside of them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.codes, self.outside, self._inside = [], [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag == "code":
            self._inside = True
            self.codes.append("")

    def handle_endtag(self, tag):
        if tag == "code":
            self._inside = False

    def handle_comment(self, data):
        self.tags.append(f"comment {data}")

    def handle_data(self, data):
        if self._inside:
            self.codes[-1] += data
        else:
            self.outside += data
