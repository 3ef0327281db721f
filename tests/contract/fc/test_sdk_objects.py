"""Objects of OSS, through the vendor's SDK."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.local.fc import AccessKey
from reconciler.local.fc.checksums import crc64_by_table
from tests.contract.fc.calls import HELLO, FunctionCompute, refusal

if TYPE_CHECKING:
    from reconciler.local.fc import FcServer
    from tests.contract.fc.conftest import ServeFc

BUCKET = "geo-artifacts"


class Objects:
    """A client of the vendor's SDK for OSS."""

    def __init__(
        self, server: FcServer, access_id: str = "ann", secret: str = "secret", token: str | None = None
    ) -> None:
        self.oss = pytest.importorskip("alibabacloud_oss_v2", reason="the vendor's SDK of OSS is not installed")
        config = self.oss.config.load_default()
        config.credentials_provider = self.oss.credentials.StaticCredentialsProvider(access_id, secret, token)
        config.region, config.endpoint = "cn-hangzhou", server.url
        config.retry_max_attempts = 1
        self.client = self.oss.Client(config)

    def put(self, key: str, content: bytes, **fields: Any) -> Any:
        return self.client.put_object(self.oss.PutObjectRequest(bucket=BUCKET, key=key, body=content, **fields))

    def get(self, key: str, **fields: Any) -> bytes:
        body = self.client.get_object(self.oss.GetObjectRequest(bucket=BUCKET, key=key, **fields)).body
        content = body.read()
        body.close()
        return bytes(content)

    def refusal(self, call: Any) -> tuple[int, str]:
        with pytest.raises(self.oss.exceptions.OperationError) as caught:
            call()
        error = caught.value.unwrap()
        return error.status_code, error.code


@pytest.fixture
def objects(fc_server: FcServer) -> Objects:
    return Objects(fc_server)


def test_an_object_comes_back_with_its_checksum(objects: Objects) -> None:
    answer = objects.put("udfs/1.json", b"123456789", metadata={"about": "run 7"})
    assert (answer.hash_crc64, answer.etag) == (str(crc64_by_table(b"123456789")), '"25F9E794323B453885F5181F1B624D0B"')
    assert objects.get("udfs/1.json") == b"123456789"
    assert objects.get("udfs/1.json", range_header="bytes=2-4") == b"345"
    head = objects.client.head_object(objects.oss.HeadObjectRequest(bucket=BUCKET, key="udfs/1.json"))
    assert (head.content_length, head.hash_crc64) == (9, "11051210869376104954")
    assert dict(head.metadata) == {"about": "run 7"}
    objects.client.delete_object(objects.oss.DeleteObjectRequest(bucket=BUCKET, key="udfs/1.json"))
    assert objects.refusal(lambda: objects.get("udfs/1.json")) == (404, "NoSuchKey")
    objects.client.delete_object(objects.oss.DeleteObjectRequest(bucket=BUCKET, key="udfs/1.json"))


def test_an_object_that_is_only_to_be_created_is_not_written_over(objects: Objects) -> None:
    objects.put("a", b"1", forbid_overwrite=True)
    assert objects.refusal(lambda: objects.put("a", b"2", forbid_overwrite=True)) == (409, "FileAlreadyExists")
    assert objects.get("a") == b"1"
    objects.put("a", b"3")
    assert objects.get("a") == b"3"
    objects.put("empty", b"", forbid_overwrite=True)
    assert objects.get("empty") == b""


def test_of_many_creators_one_succeeds(serve_fc: ServeFc) -> None:
    servers = [serve_fc(), serve_fc()]
    outcomes: list[str] = []
    gate = threading.Barrier(8)

    def create(number: int) -> None:
        client = Objects(servers[number % 2])
        gate.wait(30)
        try:
            client.put("lease", str(number).encode(), forbid_overwrite=True)
            outcomes.append("created")
        except client.oss.exceptions.OperationError as error:
            outcomes.append(error.unwrap().code)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == sorted(["created", *["FileAlreadyExists"] * 7])


def test_objects_are_listed_by_pages_and_grouped(objects: Objects) -> None:
    for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
        objects.put(key, b"x")
    first = objects.client.list_objects_v2(objects.oss.ListObjectsV2Request(bucket=BUCKET, max_keys=4))
    token = first.next_continuation_token
    more = objects.client.list_objects_v2(
        objects.oss.ListObjectsV2Request(bucket=BUCKET, max_keys=4, continuation_token=token)
    )
    assert [entry.key for entry in [*first.contents, *more.contents]] == ["a/1", "a/2", "b", "c/1", "c/2", "d"]
    assert (first.is_truncated, more.is_truncated) == (True, False)
    grouped = objects.client.list_objects_v2(objects.oss.ListObjectsV2Request(bucket=BUCKET, delimiter="/"))
    assert [entry.key for entry in grouped.contents] == ["b", "d"]
    assert [group.prefix for group in grouped.common_prefixes] == ["a/", "c/"]
    old = objects.client.list_objects(objects.oss.ListObjectsRequest(bucket=BUCKET, prefix="c/", max_keys=1))
    assert ([entry.key for entry in old.contents], old.next_marker) == (["c/1"], "c/1")


def test_a_function_and_a_layer_are_made_of_an_object(fc_server: FcServer, objects: Objects) -> None:
    fc = FunctionCompute(fc_server.authority)
    objects.put("code/read.zip", HELLO)
    code = fc.models.InputCodeLocation(oss_bucket_name=BUCKET, oss_object_name="code/read.zip")
    assert fc.create(code=code).code_checksum == str(crc64_by_table(HELLO))
    body = fc.models.CreateLayerVersionInput(code=code)
    layer = fc.client.create_layer_version("ocr", fc.models.CreateLayerVersionRequest(body=body)).body
    assert layer.code_size == len(HELLO)
    objects.put("code/read.zip", b"no zip")
    assert fc.get().code_checksum == str(crc64_by_table(HELLO))
    assert refusal(lambda: fc.update(code=code)) == (400, "InvalidArgument")
    missing = fc.models.InputCodeLocation(oss_bucket_name=BUCKET, oss_object_name="none")
    assert refusal(lambda: fc.update(code=missing)) == (400, "InvalidArgument")


def test_a_bucket_that_is_not_there_is_refused(serve_fc: ServeFc) -> None:
    objects = Objects(serve_fc(buckets=("other",)))
    assert objects.refusal(lambda: objects.put("a", b"1")) == (404, "NoSuchBucket")


def test_requests_about_objects_must_be_signed_where_there_are_keys(serve_fc: ServeFc) -> None:
    keys = {"bob": AccessKey("bobs", token="t1")}
    server = serve_fc(access_id="ann", access_key="right", keys=keys)
    Objects(server, "ann", "right").put("a b/ü+c", b"1")
    assert Objects(server, "bob", "bobs", "t1").get("a b/ü+c") == b"1"
    wrong = Objects(server, "ann", "wrong")
    assert wrong.refusal(lambda: wrong.get("a b/ü+c")) == (403, "SignatureDoesNotMatch")
    nobody = Objects(server, "eve", "right")
    assert nobody.refusal(lambda: nobody.get("a b/ü+c")) == (403, "InvalidAccessKeyId")
    stale = Objects(server, "bob", "bobs", "t0")
    assert stale.refusal(lambda: stale.get("a b/ü+c")) == (403, "InvalidSecurityToken")


def test_a_fault_at_an_object_is_written_as_oss_writes_it(fc_server: FcServer, objects: Objects) -> None:
    fc_server.faults.add({"action": "fail", "path": f"^/{BUCKET}/a$", "status": 503, "code": "InternalError"})
    assert objects.refusal(lambda: objects.put("a", b"1")) == (503, "InternalError")
    objects.put("a", b"1")
