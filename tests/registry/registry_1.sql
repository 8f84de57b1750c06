CREATE TABLE models (name TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE groups (name TEXT PRIMARY KEY, last_version INTEGER NOT NULL, description TEXT NOT NULL);
CREATE TABLE packages (
    arn TEXT PRIMARY KEY, group_name TEXT REFERENCES groups (name), version INTEGER,
    token TEXT NOT NULL UNIQUE, description TEXT NOT NULL, UNIQUE (group_name, version)
);
INSERT INTO models VALUES ('m', 't1', '{"ModelName": "m", "ModelArn": "arn:m", "CreationTime": 1.0}');
INSERT INTO groups VALUES ('G', 1, '{"ModelPackageGroupName": "G", "ModelPackageGroupArn": "arn:aws:sagemaker:r:1:model-package-group/G"}');
INSERT INTO packages VALUES ('arn:aws:sagemaker:r:1:model-package/G/1', 'G', 1, 't2', '{"ModelPackageGroupName": "G", "ModelPackageVersion": 1, "ModelPackageArn": "arn:aws:sagemaker:r:1:model-package/G/1", "ModelApprovalStatus": "Approved", "ApprovalDescription": "good", "LastModifiedTime": 7.5}');
PRAGMA user_version = 1;
