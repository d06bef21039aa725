"""One function a rule: a parsed module in, findings out. The docstring is the rule; `why` is its reason."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40

_READS_ENVIRONMENT = frozenset({"src/openfm/settings.py", "src/openfm/cli/profile.py"})
_IMPORTS_LATE = frozenset({"src/openfm/engines/catalog.py"})
_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv"})
# Where an error nobody expected is logged and turned into something else: path and what becomes of it.
_BOUNDARIES = {
    "src/openfm/gateway/routes.py": "a 500 with the request id",
    "src/openfm/telemetry/survival.py": "an outcome that a loop tries again or shows",
}
_BROAD = frozenset({"Exception", "BaseException"})
_IN_INIT = frozenset({"__all__", "__version__"})

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """A parsed file; `path` is relative to the project's root."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @property
    def is_product(self) -> bool:
        """Whether it is part of the package, not of its tests or tools."""
        return self.path.parts[0] == "src"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones included."""
        return (node for node in ast.walk(self.tree) if isinstance(node, _FUNCTION))


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule."""

    path: PurePosixPath
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Rule:
    """A rule's name, its reason, and the search for places that break it (line and message)."""

    name: str
    why: str
    search: Callable[[Module], Iterator[tuple[int, str]]]

    def check(self, module: Module) -> Iterator[Finding]:
        """Every place in `module` that breaks the rule."""
        for line, message in self.search(module):
            yield Finding(module.path, line, self.name, f"{message} ({self.why})")


def parse(path: PurePosixPath, text: str) -> Module:
    """The module at `path`. Raises `SyntaxError`."""
    return Module(path, text, ast.parse(text, filename=str(path)))


def _imports_in_functions(module: Module) -> Iterator[tuple[int, str]]:
    if str(module.path) in _IMPORTS_LATE:
        return
    for function in module.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node.lineno, f"import inside {function.name}()"


def _environment(module: Module) -> Iterator[tuple[int, str]]:
    if not module.is_product or str(module.path) in _READS_ENVIRONMENT:
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in _ENVIRONMENT:
                yield node.lineno, f"os.{name}"
            case ast.ImportFrom(module="os", names=names):
                yield from ((node.lineno, f"os.{name.name}") for name in names if name.name in _ENVIRONMENT)


def _broad_except(module: Module) -> Iterator[tuple[int, str]]:
    if str(module.path) in _BOUNDARIES:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises(node.body):
            yield node.lineno, "broad except that does not raise again"


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in _BROAD for name in names)


def _raises(body: list[ast.stmt]) -> bool:
    """Whether `body` itself raises; what a function defined in it would raise does not count."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise):
            return True
        if not isinstance(node, (*_FUNCTION, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _global(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"


def _long_module(module: Module) -> Iterator[tuple[int, str]]:
    lines = len(module.text.splitlines())
    if module.is_product and lines > MAX_MODULE_LINES:
        yield MAX_MODULE_LINES + 1, f"{lines} lines, {MAX_MODULE_LINES} are allowed"


def _long_function(module: Module) -> Iterator[tuple[int, str]]:
    if not module.is_product:
        return
    lines = module.text.splitlines()
    for function in module.functions():
        docstring = _docstring_lines(function)
        numbers = range(function.body[0].lineno, (function.end_lineno or function.lineno) + 1)
        code = [n for n in numbers if n not in docstring and lines[n - 1].strip() and lines[n - 1].strip()[0] != "#"]
        if len(code) > MAX_FUNCTION_LINES:
            yield function.lineno, f"{function.name}() has {len(code)} lines, {MAX_FUNCTION_LINES} are allowed"


def _docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is None:
        return range(0)
    return range(first.lineno, (first.end_lineno or first.lineno) + 1)


def _init_does_something(module: Module) -> Iterator[tuple[int, str]]:
    if not module.is_product or module.path.name != "__init__.py":
        return
    for node in module.tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        if not (is_docstring or is_import or _assigned(node) & _IN_INIT):
            yield node.lineno, "an __init__.py that does more than re-export"


def _assigned(node: ast.stmt) -> frozenset[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return frozenset(target.id if isinstance(target, ast.Name) else "" for target in targets)


def _type_checking(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
                yield node.lineno, "TYPE_CHECKING"


RULES = (
    Rule("late-import", "what a module needs stands at its top; only engines load late", _imports_in_functions),
    Rule(
        "environment", "settings.py and cli/profile.py alone read it, so that tests and docs see it all", _environment
    ),
    Rule("broad-except", "it hides bugs and swallows cancellation; name what can happen", _broad_except),
    Rule("global", "state belongs to an object that app.py builds", _global),
    Rule("long-module", "a module is read in one go; split it by what changes together", _long_module),
    Rule("long-function", "a function is seen at once, signature and docstring apart", _long_function),
    Rule("init", "importing a package must not do anything", _init_does_something),
    Rule("type-checking", "two worlds of imports hide cycles; the layers forbid them", _type_checking),
)
