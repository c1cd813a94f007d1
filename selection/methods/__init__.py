"""The methods: each chooses one candidate of a pool."""
