"""PURE: the jars by which the Spark stand-in reads and writes `s3a://` and `s3://`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Jars:
    """Jars of a source distribution that are put where Spark looks for them.

    `whole`: how the names of those begin that are taken as they are. `cut` begins the name of one of which only the classes
    below `classes` are taken.
    """

    requirement: str
    whole: tuple[str, ...]
    cut: str
    classes: str

    @property
    def name(self) -> str:
        """Of the distribution that holds them."""
        return f"localpipe_{self.requirement.partition('==')[0].replace('-', '_')}_jars"

    @property
    def version(self) -> str:
        """Of the distribution that they are from."""
        return self.requirement.partition("==")[2]


# AWS's own library for Spark. Hadoop's S3 client does not start without the classes of DynamoDB, which are only in the
# bundle of all services: 2 of its 190 MB.
SPARK_S3 = Jars(
    requirement="sagemaker-pyspark==1.4.5",
    whole=("aws-java-sdk-core-", "aws-java-sdk-kms-", "aws-java-sdk-s3-", "aws-java-sdk-sts-", "hadoop-aws-"),
    cut="aws-java-sdk-bundle-",
    classes="com/amazonaws/services/dynamodbv2/",
)
