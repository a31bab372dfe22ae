"""The constants of ProxySPEX in one record, with where each comes from; and the limits that its user may set."""

from __future__ import annotations

from dataclasses import dataclass

from captum_spex.errors import BudgetError


@dataclass(frozen=True)
class Settings:
    """What `ProxySpex` leaves no choice about; no measurement is on record for those without a reason."""

    # Rounds of masks.
    first_share: float = 0.5  # of the budget that goes to the fixed design when there are several rounds
    round_masks: int = 32  # fewest masks for each of several rounds
    adaptive_rounds: int = 3  # measured: six were no better
    adaptive_players: int = 20  # up to which chosen masks were measured to win
    adaptive_share: float = 0.75  # of a round's masks that are chosen; the others follow the fixed design
    candidates: int = 400  # masks among which a round chooses, their complements not counted
    first_round: int = 64  # masks of the first round of an automatic budget, and
    first_per_player: int = 4  # at least so many for each player
    growth: float = 1.5  # from one such round to the next: costs at most half of the evaluations more than needed
    replicated: float = 0.1  # share of the budget that goes to second evaluations of a noisy game, at least and at most
    replicates: tuple[int, int] = 8, 256
    gpu_masks: int = 1024  # from which `device="auto"` fits on the model's GPU: not measured
    # Efforts (`python -m benchmarks.estimator effort`). Half of the steps in haste: a planted game was not found.
    fast_rows: int = 256  # of 512 masks or more the rest says how good the process is: no searches on halves
    thorough_steps: int = 60  # of a second process: 40 at 0.15 instead of the first lost 13 % on a planted game
    thorough_rate: float = 0.1
    # Choosing masks.
    coalitions: int = 1024  # over which the slopes of a link are averaged: as good as all of 16 players (measured)
    max_sets: int = 3000  # of an order whose variances are reduced: bounds memory
    balance: float = 0.5  # between the summed variance of all sets (0) and the orders' mean variances (1)
    min_variance: float = 1e-12  # of a value: what rounding leaves of none
    # Estimation and stacking.
    alike: float = 0.95  # correlation from which outputs share a kernel; 0.7 was slower, training data worse
    # Estimation of many outputs.
    sharing_groups: int = 4  # of outputs that are not alike, from which they start from what they share
    sharing_outputs: int = 16  # from which that is learnt: more taught nothing new
    pilots: int = 3  # groups that say whether to share the kernel too, and which surrogates are of use
    worth_sharing: float = 0.1  # mean logarithm by which their squared errors grow without one that the others get
    worth_a_kernel: float = 0.05  # share by which the squared error must fall for a kernel of one's own
    own_steps: int = 10  # of a kernel of one's own: as good as 20 from the usual start
    # Outputs that follow: `python -m benchmarks.rows tables`.
    follower_masks: int = 256  # from which an output follows (of 50, probabilities lost 18 %), and that a step looks at
    follower_steps: int = 20  # at other masks each: as good as ten at all 512, in half of the time
    follower_terms: int = 64  # of other outputs from which a search begins
    follower_growth: float = 16.0  # of the worst squared error of those fitted in full, beyond which one is so too
    spread_masks: int = 2048  # on which the variance of a model is taken: known within 3 %
    unseen_masks: int = 256  # on which a process says how well it predicts masks that it has not seen
    # Faithfulness: chosen on half of the runs of `python -m benchmarks.faithfulness`, checked on the others.
    reused_share: float = 1 / 3  # of the error that is measured with shared hyper-parameters
    unknown_masks: float = 1.0  # further masks of which the model would know nothing: rule of succession
    doubt_share: float = 0.25  # of the doubt that is taken off
    hardness: tuple[float, float] = 0.5, 2.0  # of random masks beside those left out, at least and at most
    calibration: float = 1.15  # measured: intervals are that much too short, apart from what was learnt of few masks
    min_error: float = 1e-12  # of standardised values: what rounding leaves of none
    worth_a_surrogate: float = 0.02  # share by which the squared error must fall for one more
    smallest_weight: float = 0.02
    largest_sum: float = 1.2  # of the weights: a surrogate predicts values of about the right size
    # Averaged process: standardised values, 32 kernels. 486 of up to three values each were no better (20 games).
    averaged_masks: int = 512  # at most: bounds the time
    averaged_mean: float = 30.0  # variance of the mean: nearly flat
    averaged_decay: float = 2.0  # of the interactions, over all players: pairs have about as much as single players
    averaged_amplitudes: tuple[tuple[float, float], ...] = (
        (1.6, 16.0),  # of the curve of the sizes: its slope has 0.02 times that, its mean the rest
        (0.1, 1.0),  # main effects
        (0.05, 0.8),  # interactions
        (0.01, 0.2),  # the nugget
        (0.0, 3.0),  # the nugget of the two ends, beyond
    )
    # Boosted trees.
    judged_masks: int = 64  # in folds, from which trees are given up that add nothing to the rivals
    averaged_leaves: int = 4  # of a tree, from which they are averaged with trees of half: 10 to 30 % less error
    together_outputs: int = 4  # from which trees are fitted at once: those of fewer are, bit by bit, as of each alone
    together_players: int = 10  # up to which trees of several outputs are fitted at once: at all masks
    together_leaves: int = 128  # of a tree, at most: their numbers have eight bits
    together_masks: int = 256  # and up to which masks: of more, the terms of all outputs take much memory
    refitted_terms: int = 300  # of the trees, at most, that are fitted once more
    refitted_share: float = 0.5  # of the masks: at 120 of 60 players, 60 terms had half the errors of 200
    beside_masks: int = 1280  # up to which they are fitted beside a process too: factorisations of more take long
    beside_jitter: float = 1e-8  # on the diagonal, as where the process is conditioned
    deepest_tree: int = 16  # a path of 16 players has 65,536 subsets: a bound of memory
    # Gaussian process: the search for hyper-parameters.
    prior_deviation: float = 1.5  # of a player's logarithm about the mean; 0.3 to 2 were compared on six games
    mean_deviation: float = 3.0  # of that mean about its start: nearly flat
    jitter: float = 1e-4  # on the diagonal: single precision needs it, the exact solve does not
    betas: tuple[float, float] = 0.9, 0.99  # of Adam
    # Logarithms for the ends of the lattice: amplitudes (empty, full), ratio of the decays, rates (empty, full). Starts
    # of the rates at half or twice, amplitudes at 1: the same within noise.
    end_means: tuple[float, ...] = -2.0, -2.0, 0.0, -0.36, -0.36
    end_deviations: tuple[float, ...] = 3.0, 3.0, 0.7, 0.7, 0.7
    end_share: float = 0.15  # of the players: how far from an end masks tell where its amplitude starts
    end_reach: float = 9.0  # fading, as a logarithm, beyond which a search leaves masks out: the size of the jitter
    late_steps: float = 0.7  # share of the steps after which they are shorter
    late_factor: float = 0.4
    retuning_steps: int = 10  # from where an earlier search ended
    retuning_rate: float = 0.15
    retuning_masks: int = 256  # below, found terms leave the kernel as it is
    # Gaussian process: the search for terms.
    strictness: float = 4.0  # squared z-score beyond what the best of the candidates of a kind reaches by chance
    retunes: int = 3  # of the kernel
    search_rounds: int = 12  # between two of them
    terms_per_round: int = 40
    shortlist: int = 160  # candidates of one degree whose evidence is computed exactly
    beam: int = 2000  # sets of one degree that are extended
    strong_players: int = 30  # by main effect: their pairs are extended too
    term_degree: int = 5
    search_masks: int = 1536  # on which terms are searched: bounds the time of an inverse
    beam_cells: int = 2_000_000  # (parent, player) cells of a beam step: bounds memory
    # Gaussian process: the learned link.
    link_values: int = 8  # distinct values below which there is no curve to learn
    link_margin: float = 0.01  # of the range of the values: keeps the logarithm of the odds finite
    link_knots: int = 512
    link_smoothing: float = 0.15  # bandwidth, in normal scores
    link_rank_share: float = 0.1  # of normal scores in a relearned link, so that it rises strictly
    link_grid: int = 512  # points at which the mean over the noise is tabulated
    link_nodes: int = 16  # of the quadrature over the noise: exact for polynomials up to degree 31
    # Regression with a prior variance for every feature; features and targets have mean square 1.
    ard_steps: int = 30  # bounds the time
    ard_tolerance: float = 1e-3  # relative change of the noise at which it stops
    ard_given_up: float = (
        1e3  # times the data's precision: features with narrower priors are left out, in half the time
    )
    ard_min_noise: float = 1e-8  # keeps noiseless targets solvable in double precision
    ard_precisions: tuple[float, float] = 1e-6, 1e12  # inverse prior variances: from "free" to "zero"
    # Many players: screening.
    screened_players: int = 512  # by main effect, that pass
    screening_passes: int = 3  # each by the residuals of the one before; measured: one alone is not enough
    paired_players: int = 2048  # of the strongest, at most, that are paired with every other
    partner_pairs: int = 256  # at most, whose players pass
    residual_floor: float = 1e-5  # share of the deviation that remains where all is explained, in single precision
    # Many players: products and ridge regression.
    product_terms: int = 400  # of a degree, at most, fitted together
    product_degree: int = 4  # players of a product, at most
    ridge_steps: int = 20  # of conjugate gradients: each is a pass over the masks
    ridge_tolerance: float = 1e-3  # share of the residual's norm at which they stop
    ridge_min_noise: float = 0.01  # share of the variance, at least and at most, that is taken for noise


SETTINGS = Settings()


@dataclass(frozen=True)
class FitLimits:
    """Bounds of memory and time; beyond them ProxySPEX computes in another way.

    Attributes:
        dense_players: players of a game up to which masks are bool arrays; beyond, they are packed, uniformly random,
            and players are screened.
        table_players: players of a table up to which none is screened out.
        proxy_masks: masks of a table, or of a game with packed masks, up to which proxies are fitted; beyond, a
            regression is.
        direct_players: players up to which a regression solves its normal equations at once; beyond, step by step.
        block_cells: entries of masks that are unpacked at once: 128 MiB in single precision.
        pair_cells: pairs of players that are scored at once: 256 MiB.
        pair_work: multiplications that may be spent on pairs, over all outputs.
        packed_bytes: of all packed masks of a run.
    """

    dense_players: int = 5_000
    table_players: int = 1_000
    proxy_masks: int = 10_000
    direct_players: int = 4_096
    block_cells: int = 1 << 25
    pair_cells: int = 1 << 26
    pair_work: float = 1e12
    packed_bytes: int = 8 << 30

    def check_memory(self, n_players: int, n_masks: int) -> None:
        """Check that so many masks fit into memory, eight players to a byte.

        Raises:
            BudgetError: if they do not.
        """
        width = -(-n_players // 8)
        if n_masks * width > self.packed_bytes:
            got = f"{n_masks:,} masks of {n_players:,} players, {n_masks * width / 2**30:.0f} GiB even if packed"
            expected = f"at most {self.packed_bytes // width:,}, which take {self.packed_bytes >> 30} GiB"
            raise BudgetError("budget", got, expected)
