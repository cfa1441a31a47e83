"""What people's charts need besides readings, written to InfluxDB: alarms, cases, who and what there is,
gauges.

So Grafana needs one data source. What is written follows from the operations database and can be written
again at any time: an alarm is one point at the time it was raised, a case one at the time it was opened,
each written again when it changes. `lines` says what they look like, `service` when they are written.
"""
