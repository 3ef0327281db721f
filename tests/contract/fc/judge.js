// The road of an apply through the vendor's SDK for JavaScript; prints what it saw as JSON.
const {default: Client, ...models} = require("@alicloud/fc20230330");
const {Config} = require("@alicloud/openapi-core").$OpenApiUtil;

const [authority, id, secret, zip] = process.argv.slice(2);
const client = new Client(new Config({
  accessKeyId: id, accessKeySecret: secret, endpoint: authority, protocol: "http", regionId: "cn-hangzhou",
}));
const request = (name, body) => new models[`${name}Request`]({body: new models[body[0]](body[1])});

async function main() {
  const code = new models.InputCodeLocation({zipFile: zip});
  const layer = await client.createLayerVersion("ocr", request("CreateLayerVersion", [
    "CreateLayerVersionInput", {code, compatibleRuntime: ["custom.debian12"], description: "udfs geo ü"}]));
  const made = await client.createFunction(request("CreateFunction", ["CreateFunctionInput", {
    functionName: "read", runtime: "custom.debian12", handler: "index.handler", code, memorySize: 512, cpu: 0.35,
    layers: [layer.body.layerVersionArn], tags: [new models.Tag({key: "a b", value: "ü+/"})]}]));
  await client.updateFunction("read", request("UpdateFunction", ["UpdateFunctionInput", {timeout: 9}]));
  const version = await client.publishFunctionVersion("read", request("PublishFunctionVersion", ["PublishVersionInput", {}]));
  await client.createAlias("read", request("CreateAlias", ["CreateAliasInput", {
    aliasName: "prod", versionId: version.body.versionId}]));
  await client.createTrigger("read", request("CreateTrigger", ["CreateTriggerInput", {
    triggerName: "web", triggerType: "http", qualifier: "prod",
    triggerConfig: JSON.stringify({authType: "anonymous", methods: ["GET"]})}]));
  await client.putConcurrencyConfig("read", request("PutConcurrencyConfig", ["PutConcurrencyInput", {reservedConcurrency: 2}]));
  const got = await client.getFunction("read", new models.GetFunctionRequest({qualifier: "prod"}));
  const tags = [new models.Tag({key: "a b", value: "ü+/"})];
  const list = await client.listFunctions(new models.ListFunctionsRequest({limit: 10, tags, fcVersion: "v3"}));
  let refused = null;
  try {
    await client.getAlias("read", "none");
  } catch (error) {
    refused = [error.statusCode, error.code];
  }
  await client.deleteTrigger("read", "web");
  await client.deleteAlias("read", "prod");
  await client.deleteFunctionVersion("read", version.body.versionId);
  await client.deleteFunction("read");
  console.log(JSON.stringify({
    layer: layer.body.version, checksum: made.body.codeChecksum, timeout: got.body.timeout, version: version.body.versionId,
    names: list.body.functions.map((entry) => entry.functionName), tags: list.body.functions[0].tags.length, refused,
  }));
}

main().catch((error) => { console.error(error); process.exit(1); });
