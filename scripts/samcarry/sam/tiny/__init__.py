"""The small SAM that ships with the repository, and how it is trained."""
