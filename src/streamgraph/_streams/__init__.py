"""What a stream carries: parts, who gets them, in which format, how much may wait, and how work is cancelled."""
