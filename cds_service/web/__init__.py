"""Shows: what stands behind a card, for people; an EHR to try it in, the assessment, a form for what is missing."""
