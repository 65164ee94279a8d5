# samcarry and all that it runs on; docs/cluster.md tells how to use it.
#   docker build -t samcarry .
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/samcarry

# First what changes seldom: an edit of the code does not install everything again.
COPY requirements.lock ./
RUN python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock

COPY Snakefile config.yaml ./
COPY workflow workflow
COPY scripts scripts
COPY tools tools
COPY envs envs
COPY profiles profiles
COPY config config
COPY resources resources

ENTRYPOINT ["snakemake"]
CMD ["--help"]
