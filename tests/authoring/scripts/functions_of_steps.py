"""Steps with functions and a callback, of whichever SDK's classes: code as a script, as an archive in S3, for an ARN."""

import pathlib
import zipfile
from types import SimpleNamespace

ROLE = "arn:aws:iam::123456789012:role/R"
CODE = pathlib.Path(__file__).with_name("functions_code.py")


def steps(sdk: SimpleNamespace, session: object, work: str) -> list[object]:
    archive = pathlib.Path(work) / "code.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(CODE, CODE.name)
    made = {"execution_role_arn": ROLE, "handler": "functions_code.lambda_handler", "session": session}
    variables = {"Variables": {"GREETING": "hello"}}
    scripted = sdk.Lambda(function_name="scripted", script=str(CODE), timeout=30, environment=variables, **made)
    zipped = sdk.Lambda(function_name="zipped", zipped_code_dir=str(archive), s3_bucket="code", **made)
    arn = "arn:aws:lambda:us-east-1:123456789012:function:there"
    there = sdk.Lambda(function_arn=arn, script=str(CODE), session=session)
    said, n = sdk.LambdaOutput("said"), sdk.LambdaOutput("n", sdk.LambdaOutputTypeEnum.Integer)
    first = sdk.LambdaStep("First", scripted, inputs={"n": 5}, outputs=[said, n])
    ask = sdk.CallbackStep(
        "Ask",
        sqs_queue_url="https://sqs.us-east-1.amazonaws.com/1/q",
        inputs={"n": first.properties.Outputs["n"]},
        outputs=[sdk.CallbackOutput("ok", sdk.CallbackOutputTypeEnum.Boolean)],
    )
    second = sdk.LambdaStep("Second", zipped, inputs={"ok": ask.properties.Outputs["ok"]}, outputs=[said])
    return [first, ask, second, sdk.LambdaStep("Third", there, inputs={}, outputs=[said])]
