"""A report to look at and listen to: one page with the scores, sounds and pictures of recordings."""
