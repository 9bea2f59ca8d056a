"""IAM: the resources of moto, with AWS's limits and refusals."""
