"""How somebody works the pages: with a mouse, or with a keyboard alone. The same story is told by both."""

import re
from typing import Protocol

from playwright.async_api import Locator, Page, expect

_MOST_KEYS = 150
_IS_FOCUSED = "(node) => node === document.activeElement"


class Hands(Protocol):
    """What a person does to what they see."""

    async def press(self, target: Locator) -> None:
        """Use a button, a link, a tab or an item of a menu."""
        ...

    async def write(self, target: Locator, text: str) -> None:
        """Put this text into a field, in place of what is there."""
        ...

    async def choose(self, field: Locator, option: str | re.Pattern[str]) -> None:
        """Choose this option of a list that opens."""
        ...

    async def pick(self, group: Locator, label: str) -> None:
        """Pick one of a group of radio buttons."""
        ...


class MouseHands:
    """Points and clicks; types only text."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def press(self, target: Locator) -> None:
        """Click it."""
        await target.click()

    async def write(self, target: Locator, text: str) -> None:
        """Click the field, replace its text."""
        await target.click()
        await target.fill(text)

    async def choose(self, field: Locator, option: str | re.Pattern[str]) -> None:
        """Open the list, click the option."""
        await field.click()
        await self._page.get_by_role("option", name=option, exact=True).first.click()

    async def pick(self, group: Locator, label: str) -> None:
        """Click its label."""
        await group.get_by_text(label, exact=True).click()


class KeyboardHands:
    """Never touches the mouse: walks to each thing by Tab and arrows, as whoever has no mouse must."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def press(self, target: Locator) -> None:
        """Walk there; Enter, or Space where that is how it is used."""
        await self._reach(target)
        await self._page.keyboard.press("Enter")

    async def write(self, target: Locator, text: str) -> None:
        """Walk there, select everything, type."""
        await self._reach(target)
        await self._page.keyboard.press("ControlOrMeta+a")
        await self._page.keyboard.insert_text(text)

    async def choose(self, field: Locator, option: str | re.Pattern[str]) -> None:
        """Walk there, open the list by an arrow, go down to the option, Enter."""
        await self._reach(field)
        wanted = self._page.get_by_role("option", name=option, exact=True).first
        await self._page.keyboard.press("ArrowDown")
        await expect(wanted).to_be_visible()
        for _ in range(_MOST_KEYS):
            if await wanted.get_attribute("data-combobox-selected") == "true":
                await self._page.keyboard.press("Enter")
                return
            await self._page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrows do not lead to the option {option!r}")

    async def pick(self, group: Locator, label: str) -> None:
        """Walk to the one that is picked, then by arrows."""
        await self._walk(group.get_by_role("radio", checked=True), "Tab")
        await self._walk(group.get_by_role("radio", name=label, exact=True), "ArrowRight")

    async def _reach(self, target: Locator) -> None:
        await expect(target).to_be_visible()
        role = await target.get_attribute("role")
        key = {"menuitem": "ArrowDown", "tab": "ArrowRight"}.get(role or "", "Tab")
        if role == "tab":
            strip = self._page.get_by_role("tablist").filter(has=target)
            await self._walk(strip.get_by_role("tab", selected=True), "Tab")
        await self._walk(target, key)

    async def _walk(self, target: Locator, key: str) -> None:
        for _ in range(_MOST_KEYS):
            if await target.evaluate(_IS_FOCUSED):
                return
            await self._page.keyboard.press(key)
        raise AssertionError(f"{key} does not lead to {target}")
