"""The server of tools, which shows schemas without what tells a model nothing: each word costs context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer

if TYPE_CHECKING:
    from mcp_types import Tool

_NULL = {"type": "null"}
_SAYING_NOTHING = ("title", "description", "$defs")


class TerseServer(MCPServer):
    """An MCP server whose list of tools is short; what the tools take and give is the same."""

    async def list_tools(self) -> list[Tool]:
        """The tools, with the schemas of `shorten_input` and `shorten_output`."""
        shown = []
        for tool in await super().list_tools():
            given, made = tool.input_schema, tool.output_schema
            update = {"input_schema": shorten_input(given), "output_schema": made and shorten_output(made)}
            shown.append(tool.model_copy(update=update))
        return shown


def shorten_output(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema, without titles and descriptions and with references put in place."""
    known = schema.get("$defs", {})

    def shorten(part: Any) -> Any:
        if isinstance(part, list):
            return [shorten(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return shorten(known[part["$ref"].rpartition("/")[2]])
        kept: dict[str, Any] = {}
        for key, value in part.items():
            if key == "properties":
                kept[key] = {name: shorten(item) for name, item in value.items()}
            elif key not in _SAYING_NOTHING and (key, value) != ("additionalProperties", True):
                kept[key] = shorten(value)
        choices = kept.get("anyOf", [])
        if len(choices) == 2 and _NULL in choices and all(set(item) == {"type"} for item in choices):
            kept = {**kept, "type": [item["type"] for item in choices]}
            del kept["anyOf"]
        return kept

    made: dict[str, Any] = shorten(schema)
    return made


def shorten_input(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema for what a model should give: without titles, and without null, which says nothing."""
    shown = {}
    for name, whole in schema.get("properties", {}).items():
        part = {key: value for key, value in whole.items() if key not in ("title", "anyOf")}
        for choice in whole.get("anyOf", []):
            part |= choice if choice != _NULL else {}
        if part.get("default") in (None, "", False):  # what leaving it out means anyhow
            part.pop("default", None)
        shown[name] = part
    kept = {key: value for key, value in schema.items() if key != "title"}
    return {**kept, "properties": shown}
