"""The method behind the OpenAI API: coding tasks are solved, all else goes to the model untouched."""
