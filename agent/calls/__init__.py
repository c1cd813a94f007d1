"""What stands before a model: the store, a queue, budgets and concurrency."""
