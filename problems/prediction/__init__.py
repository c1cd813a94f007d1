"""Problems whose answer is no program but a value or a call: reading of sets and of answers."""
