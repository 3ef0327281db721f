"""A translation shows what its source shows; one whose source says something else by now is told."""

from __future__ import annotations

import re

import pytest

from tests.site.translations import FENCE, Translation, translations

PAGES = translations()


@pytest.mark.parametrize("translation", PAGES, ids=lambda translation: translation.page.stem)
def test_a_translation_has_the_blocks_of_its_source(translation: Translation, request: pytest.FixtureRequest) -> None:
    text, source = (path.read_text(encoding="utf-8") for path in (translation.page, translation.source))
    blocks = FENCE.findall(source)
    assert len(FENCE.findall(text)) == len(blocks)
    same = iter(blocks)
    # Comments of the shell are for people, and translated.
    happened = FENCE.sub(lambda match: match[0] if match[0].startswith("```sh") and next(same) else next(same), text)
    if request.config.getoption("--update"):
        translation.page.write_text(happened, encoding="utf-8")
    assert happened == translation.page.read_text(encoding="utf-8"), "pytest tests/site --update takes over what is run"


@pytest.mark.parametrize("translation", PAGES, ids=lambda translation: translation.page.stem)
def test_a_translation_has_the_headings_of_its_source(translation: Translation) -> None:
    text, source = (path.read_text(encoding="utf-8") for path in (translation.page, translation.source))
    anchors = [set(re.findall(r"\{ #([\w-]+) \}$", FENCE.sub("", page), re.MULTILINE)) for page in (text, source)]
    assert anchors[0] <= anchors[1], "links into a page lead to the same place in each language"


@pytest.mark.parametrize("translation", PAGES, ids=lambda translation: translation.page.stem)
def test_a_translation_says_what_its_source_says_now(translation: Translation) -> None:
    if translation.is_behind:
        page, source = translation.page.name, translation.source.name
        pytest.skip(f"behind: {source} has changed since {page} was looked through (tests/site/translations.py)")
