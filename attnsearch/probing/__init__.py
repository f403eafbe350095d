"""What a network does when it is changed: verification of mixers and ablation of heads."""
