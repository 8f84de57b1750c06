"""What training scripts import of AWS's package of this name: `data_utils`, `distributed`, `checkpointing`, `encoder`.

They take and return what AWS's do; what they share with the built-in algorithm is in `localpipe_xgboost`.
Follows: the image's own package, github.com/aws/sagemaker-xgboost-container.
"""
