"""Grafana dashboards as code: from one source in Chinese and English, as files or through Grafana's API.

`boards` says what is on each, `tables` where its figures come from, `panels` how they look, `render` and
`push` bring them to Grafana. Nothing here knows a gateway: what dashboards ask is InfluxQL
(docs/dashboards.md).
"""
