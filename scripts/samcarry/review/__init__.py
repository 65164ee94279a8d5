"""Choose images to label, rank doubtful masks, and apply corrections."""
