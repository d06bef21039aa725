"""SQL statements by databricks-sdk: `ai_query` as notebooks and jobs ask it."""

import time

import story
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.sql import ExecuteStatementRequestOnWaitTimeout, StatementParameterListItem, StatementState

story.with_host()
w = WorkspaceClient()
SHORT = "modelParameters => named_struct('max_tokens', 4)"
RUNNING = (StatementState.PENDING, StatementState.RUNNING)


def ended(answer):
    while answer.status.state in RUNNING:
        time.sleep(0.2)
        answer = w.statement_execution.get_statement(answer.statement_id)
    return answer


def execute(text, **fields):
    answer = ended(w.statement_execution.execute_statement(text, "warehouse", **fields))
    error = answer.status.error
    return {
        "state": answer.status.state.value,
        "rows": answer.result.data_array if answer.result else None,
        "columns": [column.name for column in answer.manifest.schema.columns] if answer.manifest else None,
        "error": [error.error_code.value, error.message] if error else None,
    }


def cancelled():
    text = f"SELECT ai_query('{story.CHAT}', 'Tell a long story about ' || x) FROM range(500) t(x)"
    wait = ExecuteStatementRequestOnWaitTimeout.CONTINUE
    begun = w.statement_execution.execute_statement(text, "warehouse", wait_timeout="0s", on_wait_timeout=wait)
    w.statement_execution.cancel_execution(begun.statement_id)
    return [begun.status.state.value, ended(begun).status.state.value]


rows = "FROM (VALUES ('one'), ('two')) t(word)"
name = [StatementParameterListItem(name="word", value="one"), StatementParameterListItem("n", type="INT", value="41")]
long = "SELECT ai_query('{}', repeat('long ', 20000), failOnError => false) AS a"
steps = {
    "rows": lambda: execute(f"SELECT word, ai_query('{story.CHAT}', 'Say ' || word, {SHORT}) AS said {rows}"),
    "parameters": lambda: execute(f"SELECT ai_query('{story.CHAT}', :word, {SHORT}), :n + 1", parameters=name),
    "errors": lambda: execute(long.format(story.CHAT)),
    "unknown": lambda: execute(f"SELECT ai_query('{story.UNKNOWN}', 'hi')"),
    "cancelled": cancelled,
}
story.tell({"sdk": {step: story.attempt(action, DatabricksError) for step, action in steps.items()}})
