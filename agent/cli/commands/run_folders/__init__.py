"""Commands that look at run folders: a list of them, and a live page of one."""
