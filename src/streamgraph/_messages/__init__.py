"""What a stream shows of messages and structured output: models listened to, messages told apart, copied and merged."""
