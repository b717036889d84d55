"""One reader a fact: each function has the name of the fact it reads."""
