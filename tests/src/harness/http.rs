//! The HTTP face as a program sees it.

use std::time::Duration;

use serde_json::Value;

/// One coordinator over HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

impl Http {
    /// For `host:port`, with or without a token.
    pub fn new(address: &str, token: Option<String>) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build();
        Self {
            base: format!("http://{address}"),
            token,
            client: client.expect("an HTTP client"),
        }
    }

    /// Status and body of a GET; the body is null when it is no JSON.
    pub async fn get(&self, path: &str) -> Result<(u16, Value), reqwest::Error> {
        self.send(self.client.get(format!("{}{path}", self.base)))
            .await
    }

    /// Status and body of a POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), reqwest::Error> {
        self.send(self.client.post(format!("{}{path}", self.base)).json(body))
            .await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(u16, Value), reqwest::Error> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}
