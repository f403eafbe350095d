"""Trackers that people use: every run in training is told to TensorBoard, Weights & Biases or MLflow."""
