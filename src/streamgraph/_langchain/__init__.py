"""Integration with langchain-core: configs, callbacks, scopes and actions."""
