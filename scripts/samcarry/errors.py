"""The one error that is meant for the person at the keyboard."""


class InputError(ValueError):
    """Input that a person has to mend.

    The message is one line (or one line a fault): which file, what is wrong, what to do. Scripts
    print it without a traceback.
    """
