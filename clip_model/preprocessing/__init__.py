"""What the network is fed: text to token ids, a picture to the square it sees."""
