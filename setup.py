"""Packaging of mmpixcon; the build backend that calls it is build_backend.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What `mim` and `_base_ = 'mmpixcon::...'` look for below mmpixcon/.mim.
MIM_CONTENT = ('tools', 'configs', 'model-index.yml')
# Python reads it at each start: mmdet finds mmcv's operators without importing mmpixcon.
OPERATORS_PTH = 'mmpixcon_ops.pth'


def read_version() -> str:
    """Read the version without importing the package, which needs its dependencies."""
    scope: dict[str, str] = {}
    exec((ROOT / 'mmpixcon' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def read_requirements(name: str) -> list[str]:
    """Read one file of requirements/, without its comments."""
    lines = (ROOT / 'requirements' / name).read_text(encoding='utf-8').splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    return [line for line in lines if line]


class BuildWithMim(build_py):
    """Add ``mmpixcon/.mim``: copies in a wheel, links in a checkout installed with ``-e``."""

    def run(self) -> None:
        """Build the package, then its ``.mim`` folder."""
        super().run()
        if self.editable_mode:
            # The build backend adds OPERATORS_PTH to an editable wheel.
            self._link()
        else:
            self._copy(Path(self.build_lib) / 'mmpixcon' / '.mim')
            shutil.copy2(ROOT / OPERATORS_PTH, Path(self.build_lib) / OPERATORS_PTH)

    def _link(self) -> None:
        target = ROOT / 'mmpixcon' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name in MIM_CONTENT:
            # Relative, so that the checkout can be moved as a whole.
            os.symlink(os.path.join('..', '..', name), target / name)

    def _copy(self, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        ignore = shutil.ignore_patterns('__pycache__', '*.pyc')
        for name in MIM_CONTENT:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=ignore)
            else:
                shutil.copy2(source, target / name)


if __name__ == '__main__':
    setup(
        name='mmpixcon',
        version=read_version(),
        description='Contrastive and self-supervised training of detectors, for MMDetection',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        author='The mmpixcon authors',
        keywords='object detection, self-supervised learning, contrastive learning, mmdetection',
        license='Apache-2.0',
        packages=find_packages(include=['mmpixcon', 'mmpixcon.*', 'mmpixcon_ops']),
        # Type hints are the package's own.
        package_data={'mmpixcon': ['py.typed']},
        # With an explicit root, setuptools installs -e as one plain path file
        # instead of an import hook; pkg_resources and mim understand only the former.
        package_dir={'': '.'},
        python_requires='>=3.10',
        classifiers=[
            'Development Status :: 4 - Beta',
            'Intended Audience :: Science/Research',
            'License :: OSI Approved :: Apache Software License',
            'Operating System :: OS Independent',
            *(f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 14)),
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
        ],
        install_requires=read_requirements('runtime.txt'),
        extras_require={
            'app': read_requirements('app.txt'),
            'bdd100k': read_requirements('bdd100k.txt'),
            'docs': read_requirements('docs.txt'),
            'export': read_requirements('export.txt'),
            'efficientnet-lite': read_requirements('efficientnet-lite.txt'),
            'lite': read_requirements('lite.txt'),
            'mim': read_requirements('mminstall.txt'),
            'safetensors': read_requirements('safetensors.txt'),
            'segmentation': read_requirements('segmentation.txt'),
            'tests': read_requirements('tests.txt'),
            'timm': read_requirements('timm.txt'),
        },
        entry_points={'console_scripts': ['mmpixcon = mmpixcon.commands.app:main']},
        cmdclass={'build_py': BuildWithMim},
        zip_safe=False,
    )
