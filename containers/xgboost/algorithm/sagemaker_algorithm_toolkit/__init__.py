"""The names of AWS's package of this name that training scripts import."""
