"""The one exception the lab raises for what a person can put right."""


class LabError(Exception):
    """Something the lab cannot do; its text is one sentence that says what to do about it."""
