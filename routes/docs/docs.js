/** Shows the API's description; see https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/. */
globalThis.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null, // nothing leaves this server
});
