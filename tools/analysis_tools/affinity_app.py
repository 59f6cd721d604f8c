r"""Shows in a browser how alike all places of a photo are to a clicked point.

    pip install 'mmpixcon[app]'
    python tools/analysis_tools/affinity_app.py --photos examples/bccd/images \
        --model PLRC=CONFIG.py,CHECKPOINT.pth --model 'MoCo v2=OTHER.py,OTHER.pth'

Then open http://127.0.0.1:7860, click a sample or upload a photo, and click a point of
it: each checkpoint's map appears, as affinity_map.py draws it. Served to this machine
alone unless --host says otherwise; nothing is fetched from elsewhere.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images, load_backbone
from mmpixcon.visualization.point_affinities import PhotoAffinities
from model_argument import add_model_argument


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Click points, see affinities')
    add_model_argument(parser)
    parser.add_argument('--photos', type=Path, help='a folder of samples')
    parser.add_argument('--num', type=int, default=12, help='samples to offer')
    parser.add_argument('--port', type=int, default=7860)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on')
    parser.add_argument('--size', type=int, default=896, help='pixels a side')
    parser.add_argument('--cells', type=int, default=56, help='of the map, a side')
    parser.add_argument('--level', type=int, default=-1, help="of the backbone's maps")
    return parser.parse_args()


def main() -> None:
    """Serve."""
    args = parse_args()
    try:
        from mmpixcon.visualization.affinity_app import build_app, serve
    except ImportError as error:
        raise SystemExit(str(error)) from error
    samples = find_images([args.photos], args.num) if args.photos else []
    backbones = {name: load_backbone(config, path) for name, config, path in args.model}
    affinities = PhotoAffinities(backbones, args.size, args.cells, args.level)
    # Ended from outside, it leaves no files either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # Uploads and maps of this run alone; Gradio's own folder is one for all users, for ever.
    with tempfile.TemporaryDirectory(prefix='affinity_app-') as folder:
        os.environ['GRADIO_TEMP_DIR'] = folder
        serve(build_app(affinities, samples), args.port, args.host)


if __name__ == '__main__':
    main()
