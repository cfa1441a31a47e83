"""Modbus RTU: polling detectors on a serial line. Frames come from pymodbus; models of device are data."""
