"""The words that every stand-in model answers with: plausible, and free of anything that looks like patient data."""

ANSWER = (
    "Here is a draft you can edit. I kept the order of the original, shortened long sentences and marked places where "
    "something is unclear. Please review it before use; I may have misread abbreviations."
)


def words():
    """The answer in pieces of a word each, as models stream it."""
    return [word + " " for word in ANSWER.split()]
