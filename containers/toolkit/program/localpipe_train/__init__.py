"""Stands for the `train` of AWS's deep learning containers: the toolkit, told which framework module it is to call."""
