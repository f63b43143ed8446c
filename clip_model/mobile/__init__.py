"""MobileCLIP's image towers: FastViT, whose parallel branches become single layers, and the stem of its ViT."""
