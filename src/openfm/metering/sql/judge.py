"""What a question may ask: judged in the tree that DuckDB itself made of it, so that nothing is read in two ways.

The tree is that of `json_serialize_sql`, which takes SELECT and, inside WITH, what changes rows. Every query must be a
SELECT, every table one of ours or a name that the question gave itself, every function one that reads and writes
nothing. Names of our views then take the place of three-part ones, for DuckDB keeps the catalog `system` for itself.

A name of the question's own holds inside its query alone, and outside it would be that of a file or of a catalogue. So
all of them are given names that nothing else has: whatever such a name reaches is the question's own, or nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Node = dict[str, Any]

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
_SOURCES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EMPTY_FROM", "EXPRESSION_LIST"})
_QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"})
_EXPRESSIONS = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA"}
    | {"OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW"}
)
_ONLY_SELECT = "Only SELECT can be asked: usage is read here, never changed."
_OWN = "with__"
_MOST_NODES = 20_000

_FUNCTIONS = """
ai_query named_struct
! % & * ** + - -> ->> / // < << <= <> = == > >= >> ^ | || ~ ~~ ~~* !~~ !~~* @> <@ ^@
abs acos add age alias any_value approx_count_distinct approx_quantile arg_max arg_min argmax argmin array_agg
array_contains array_extract array_length array_position array_slice array_to_string ascii asin atan atan2 avg
bar base64 bit_and bit_or bit_xor bool_and bool_or cardinality cbrt ceil ceiling century chr coalesce concat
concat_ws contains corr cos cot count count_if count_star countif covar_pop covar_samp cume_dist current_date
current_localtimestamp current_timestamp date_add date_diff date_part date_sub date_trunc datediff datepart
datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade decode degrees dense_rank divide element_at
encode ends_with entropy epoch epoch_ms epoch_us even exp factorial favg fdiv fill first first_value flatten
floor fmod format from_base64 from_json fsum gamma gcd generate_series geomean get_current_timestamp greatest
group_concat hash hex histogram hour if ifnull ilike_escape instr isfinite isinf isnan isodow isoyear jaccard
jaro_winkler_similarity json_array json_array_length json_contains json_exists json_extract json_extract_path
json_extract_path_text json_extract_string json_keys json_object json_structure json_type json_valid json_value
julian kurtosis lag last last_day last_value lcase lcm lead least left len length levenshtein lgamma like_escape
list list_aggr list_aggregate list_any_value list_avg list_concat list_contains list_count list_distinct
list_element list_extract list_filter list_first list_has list_last list_max list_median list_min list_position
list_reverse list_slice list_sort list_sum list_transform list_unique list_value list_zip listagg ln log log10
log2 lower lpad ltrim mad make_date make_time make_timestamp make_timestamptz map map_contains map_entries
map_extract map_extract_value map_from_entries map_keys map_values max max_by md5 mean median microsecond
millisecond min min_by minute mod mode month monthname multiply not_ilike_escape not_like_escape now nth_value
ntile nullif ord percent_rank pi position pow power prefix printf product quantile quantile_cont quantile_disc
quarter radians random range rank rank_dense regexp_escape regexp_extract regexp_extract_all regexp_full_match
regexp_matches regexp_replace regexp_split_to_array regr_avgx regr_avgy regr_count regr_intercept regr_r2
regr_slope repeat replace reverse right round round_even row row_number rpad rtrim second sha1 sha256 sign sin
skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp str_split strftime string_agg
string_split string_to_array strip_accents strlen strpos strptime struct_extract struct_keys struct_pack
struct_values substr substring subtract suffix sum tan time_bucket timezone to_base64 to_days to_hours to_json
to_microseconds to_milliseconds to_minutes to_months to_seconds to_timestamp to_weeks to_years today
transaction_timestamp translate trim trunc try_strptime typeof ucase unhex unicode unnest upper uuid var_pop
var_samp variance version wavg week weekday weekofyear xor year yearweek
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
"""By their names in DuckDB's tree. None of them reads a file, the environment or the settings, or waits.

`ai_query` looks answers up (see `lookup`).
"""


class Refused(Exception):  # the message is for people
    """The question asks what it may not, or is none."""


def judge(tree: Node, tables: Mapping[str, str]) -> Node:
    """The tree with our tables under the names that they have in the database. Raises `Refused`.

    `tables` are those that there are: three-part name, in lower case, and name in the database.
    """
    if tree.get("error"):
        raise Refused(_said(tree))
    if len(tree["statements"]) != 1:
        raise Refused("Ask one SELECT at a time.")
    given = frozenset(_names_given(tree))
    for number, node in enumerate(nodes(tree)):
        if number > _MOST_NODES:
            raise Refused("The question is too long. Ask less at a time.")
        _judge_one(node, tables, given)
    return tree


def _judge_one(node: Node, tables: Mapping[str, str], given: frozenset[str]) -> None:
    kind = node.get("type")
    if "cte_map" in node:
        _judge_query(node)
    elif "class" in node and node["class"] not in _EXPRESSIONS:
        raise Refused(f"{node['class']} cannot be used here: write the value itself.")
    elif "table_name" in node and kind == "BASE_TABLE":
        _name_table(node, tables, given)
    elif kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).lower()
        if name not in _TABLE_FUNCTIONS:
            raise Refused(f"{name}() cannot be asked for rows here. The tables are: {', '.join(sorted(tables))}.")
    elif "sample" in node and kind not in _SOURCES:
        raise Refused(f"{kind} cannot be asked for rows here. The tables are: {', '.join(sorted(tables))}.")
    if "function_name" in node:
        name = str(node["function_name"]).lower()
        if name not in FUNCTIONS or node.get("schema") or node.get("catalog"):
            raise Refused(f"The function {name} cannot be used here.")


def _judge_query(node: Node) -> None:
    if node.get("type") not in _QUERIES:
        raise Refused(_ONLY_SELECT)
    for entry in node["cte_map"].get("map", ()):
        entry["key"] = _own(entry["key"])
    if "cte_name" in node:
        node["cte_name"] = _own(node["cte_name"])


def _name_table(node: Node, tables: Mapping[str, str], given: frozenset[str]) -> None:
    path = [part for part in (node.get("catalog_name"), node.get("schema_name"), node["table_name"]) if part]
    name = ".".join(path).lower()
    if name in tables:
        new = tables[name]
    elif len(path) == 1 and name in given:
        new = _own(name)
    else:
        raise Refused(f"There is no table {'.'.join(path)}. There are: {', '.join(sorted(tables))}.")
    node |= {"catalog_name": "", "schema_name": "", "table_name": new, "alias": node.get("alias") or path[-1]}
    if "qualified_name" in node:
        node["qualified_name"] = {"path": [new]}


def _own(name: str) -> str:
    return _OWN + name.lower()


def _names_given(tree: Any) -> Iterator[str]:
    """Names of the question's own `WITH` clauses."""
    for node in nodes(tree):
        for entry in node.get("cte_map", {}).get("map", ()):
            yield str(entry["key"]).lower()


def nodes(tree: Any) -> Iterator[Node]:
    """Every node of the tree; what is put in the place of one that was given is gone through too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _said(tree: Node) -> str:
    said = str(tree.get("error_message", "")).splitlines()
    if "Only SELECT" in "".join(said):
        return _ONLY_SELECT
    return f"The question cannot be read: {' '.join(said[:2])}"
