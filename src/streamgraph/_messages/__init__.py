"""Messages and structured output in a stream: the taps, their tokens, and the message tracker."""
