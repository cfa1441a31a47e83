"""Rules, compiled, and the engine that judges readings by them.

The engine is a pure function of its state, the readings and the time it is told: no clock, no I/O, no
event loop. So a restart continues exactly, and a backtest is the engine over stored readings. What it
says are findings; who is told, who acknowledges and which case is opened is the business of other rooms.
"""
