"""A solved request in the words of each form of the API, whole or as a stream of events."""
