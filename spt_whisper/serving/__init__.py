"""An HTTP service with OpenAI's interface for transcription: prompts are its models.

LitServe runs two kinds of processes. The front answers HTTP, keeps keys and limits, and cuts audio into windows; workers
hold Whisper and the prompts, and decode windows of all requests in batches, each with its own prompt.

    settings.py       settings of a service, and its limits
    server.py         both under LitServe, from start to SIGTERM
    app.py            front: the routes
    guard.py          front: keys (keys.py), limits and the bounded queue, before anything is read
    catalog.py        front: which models there are, kept up to date with their files
    transcription.py  front: one request, window by window
    uploads.py        front: what was uploaded, as audio of bounded length
    answers.py        front: transcripts as OpenAI lays them out; faults.py errors, metrics.py figures
    workers.py        front: the way to the workers
    tasks.py          what goes from the front to a worker, and back
    sources.py        where models come from: Whisper itself, prompts, banks
    worker.py         worker: tasks in batches; loop.py how it waits for them
"""
