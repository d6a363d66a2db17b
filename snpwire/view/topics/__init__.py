"""What explain can say, a topic each."""
