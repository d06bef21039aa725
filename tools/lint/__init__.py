"""The house rules that no linter has, each with its reason; tests/unit/tools/test_lint.py shows what each refuses."""
